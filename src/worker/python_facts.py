"""What the Makefile has to know of a Python, told by that Python.

Prints words NAME=VALUE on one line; a ^ stands for a blank in a value.

	version      3.11
	executable   what sys.executable is to be in the worker
	prefix       where it is installed, also if asked in a virtual environment
	includes     compiler options
	archive      libpython3.11.a with its path; empty if there is none
	archivelibs  what the archive needs in turn
	shared       linker options for libpython3.11.so; empty if there is none
	refused      why no worker can be built; empty if one can
"""

import os
import sys
import sysconfig

OLDEST = (3, 8)

get = sysconfig.get_config_var


def first_file(name, *directories):
    for directory in directories:
        path = os.path.join(directory or "", name or "")
        if directory and name and os.path.isfile(path):
            return path
    return ""


def includes():
    paths = [get("INCLUDEPY"), sysconfig.get_path("platinclude")]
    found = [path for path in paths if path and os.path.isdir(path)]
    return " ".join("-isystem " + path for path in dict.fromkeys(found))


def shared():
    """LDLIBRARY is the archive where Python itself was linked with that."""
    name = "python" + (get("LDVERSION") or "")
    path = first_file("lib%s.so" % name, get("LIBDIR"), get("LIBPL"))
    if not path:
        return ""
    directory = os.path.dirname(path)
    usual = ["/lib", "/usr/lib", "/usr/lib/" + (get("MULTIARCH") or "")]
    if directory in usual:
        return "-l" + name
    return "-L%s -Wl,-rpath,%s -l%s" % (directory, directory, name)


def refused(facts):
    if sys.version_info < OLDEST:
        return "older than %d.%d" % OLDEST
    if get("Py_GIL_DISABLED"):
        return "built without the GIL"
    if not first_file("Python.h", get("INCLUDEPY")):
        return "no Python.h"
    if not facts["archive"] and not facts["shared"]:
        return "no libpython"
    return ""


def main():
    names = ["LIBS", "SYSLIBS", "MODLIBS"]
    facts = {
        "version": "%d.%d" % sys.version_info[:2],
        "executable": sys.executable,
        "prefix": sys.base_prefix,
        "includes": includes(),
        "archive": first_file(get("LIBRARY"), get("LIBPL"), get("LIBDIR")),
        "archivelibs": " ".join(get(name) or "" for name in names),
        "shared": shared(),
    }
    facts["refused"] = refused(facts)
    for name, value in facts.items():
        print(name + "=" + "^".join(value.split()), end=" ")


main()
