"""An application that a function makes."""

from basic import hello


def make():
    return lambda environ, start_response: hello(environ, {}, start_response)


def fail():
    raise LookupError("the factory failed")


not_callable = 7
