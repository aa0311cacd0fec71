"""A stand-in for Customer.io's Track API, v1 and v2, that enforces contracts/customerio.md.

profile     one person: attributes ordered by time, identifiers, activity
people      the workspace: who is who, what is suppressed, merged, waiting, seen before
validation  what the API refuses, item by item
track       an HTTP request, read and answered; no web framework in it
faults      what it was told to do wrong
journal     what it was sent
api         the thin Flask edge over all of them
server      gevent's WSGI server, as a process or in a thread

Nothing here imports the rest of the adapter: it is the other side of the wire.
"""
