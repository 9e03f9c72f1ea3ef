"""What others wrote, as judges: specifications, a mock server made of them, official SDKs, libraries for formats.

None of it is part of this project. `make outside` installs the libraries and runs what is here; it takes some minutes
and needs Node.js, Python 3.12 and espeak-ng; what needs something that is missing is skipped, and says so.
Specifications are looked for in `../shared/specs`, or where `SPECIFICATIONS` says.
"""
