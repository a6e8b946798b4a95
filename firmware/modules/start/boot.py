# Frozen as boot.py where romfs_start's main.py is frozen too, which then waits or goes to the prompt: on rp2, samd and
# mimxrt only a main.py has USB, and can hear that somebody is there.
# It leaves no name behind; start() has what can be chosen.
__import__("safe_boot").start()
__import__("safe_boot").boot(globals(), True)
