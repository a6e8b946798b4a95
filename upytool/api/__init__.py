"""The public library: one module a job. The command line is its first client; `import upytool` has them by name.

Plain arguments go in, with a `Reporter` for events and, where something may be lost, an `Ask` for questions; a plan or
a result comes out. Nothing here prints, reads settings from the environment or knows Click (what upytool itself
remembers is in its state directory): what a program of its own cannot do with
these modules, the command line cannot do either.
"""
