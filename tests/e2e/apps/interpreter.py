"""What an application finds out about the Python that it runs in."""

from __future__ import annotations

import json
import multiprocessing
import sys


def name_in_child(names):
    """Runs in a process that multiprocessing has started."""
    names.put([sys.prefix, sys.executable])


def child():
    context = multiprocessing.get_context("spawn")
    names = context.Queue()
    process = context.Process(target=name_in_child, args=(names,))
    process.start()
    found = names.get(timeout=20)
    process.join()
    return found


def exported():
    """Whether extension modules would get these from the program."""
    import ctypes

    program = ctypes.CDLL(None)
    names = ["PyObject_Call", "llhttp_execute", "log_errorx", "pool_new"]
    return [name for name in names if hasattr(program, name)]


def extensions(names):
    """The file of each module, as far as it is one of machine code."""
    modules = [__import__(name, fromlist=["x"]) for name in names]
    return [getattr(module, "__file__", "built in") for module in modules]


def told(query):
    if query.startswith("modules="):
        return extensions(query.partition("=")[2].split(","))
    return {
        "version": "%d.%d" % sys.version_info[:2],
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "executable": sys.executable,
        "path": sys.path,
        "child": child() if query == "child" else None,
        "exported": exported() if query == "exported" else None,
    }


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told(environ["QUERY_STRING"])).encode()]
