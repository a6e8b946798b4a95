# For boards without a binary stdin: the new file, whose content was compared already, takes the old one's place.
def run(temp, path):
    import os

    try:
        if os.stat(path)[0] & 0x4000:
            raise OSError(21)
    except OSError as e:
        if e.args[0] == 21:
            os.remove(temp)
            raise
    try:
        os.rename(temp, path)
    except OSError:
        os.remove(path)
        os.rename(temp, path)
