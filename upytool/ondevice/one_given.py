# How it begins where the link itself is sure.
t=TEMP
p=PATH
