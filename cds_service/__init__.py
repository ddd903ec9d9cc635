"""Decision support for pain behind the knee, as a CDS Hooks 2.0 service."""

from importlib.metadata import version

__version__ = version("posterior-knee-cds")
