# The start of a board whose maker switched WebREPL on.
import rig

if rig.setting("RIG_PASSWORD"):
    import webrepl

    webrepl.start()
