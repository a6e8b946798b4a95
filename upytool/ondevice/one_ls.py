# The entries of a directory, as os.ilistdir gives them.
import uos
{}["\x1e%r"%[x for x in uos.ilistdir(PATH)]]
