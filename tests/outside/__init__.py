"""What others wrote, as judges: the providers' own specifications, a mock server made of them, and official SDKs.

None of it is part of this project. `make outside` installs the SDKs and runs what is here; it takes some minutes and
needs Node.js. Specifications are looked for in `../shared/specs`, or where `SPECIFICATIONS` says.
"""
