// What the files of the rig share. The exit status tells the bridge (unix.py) how to start the board again.
#include "py/obj.h"

#define RIG_EXIT_FRIENDLY (10)
#define RIG_EXIT_RAW (11)
#define RIG_EXIT_RESET (12)

void rig_terminal_init(void);
extern int rig_fullest;
void rig_watch(mp_obj_t socket, mp_obj_t callback);
