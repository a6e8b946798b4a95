"""HTTP for those who download: a cache of what came, and a fetcher that is careful.

cache      content by its hash, and what each address gave
download   GET with timeouts, retries, redirects, limits; offline from the cache
"""
