"""Side-by-side benchmark of WSGI servers: python3 -m bench, see README.md."""
