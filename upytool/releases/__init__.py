"""Published firmware: what there is, which file a wish means, and getting it whole.

names      the file names of releases, versions and their order
page       the links of a board's page on micropython.org
resolve    from "pico w" and "latest" to one file
source     where releases come from: server, cache, record of checksums
store      the files that are on this computer, and what every address gave
download   getting a release: complete, looked into, the same as last time
"""
