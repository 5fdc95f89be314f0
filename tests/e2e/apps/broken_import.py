"""Cannot be imported."""


def deep() -> None:
    raise RuntimeError("broken at import")


deep()
