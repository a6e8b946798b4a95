# The directories that a small install needs.
for p in FOLDERS:uos.mkdir(p)
