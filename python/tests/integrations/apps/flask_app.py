"""A Flask app for gunicorn."""

import os

from flask import Flask

import firebell

firebell.init("web")

app = Flask(__name__)


@app.get("/items/<int:item>")
def read(item: int) -> dict[str, int]:
    """Answer with the process that does."""
    return {"item": item, "pid": os.getpid()}


@app.get("/fail")
def fail() -> str:
    """Fail."""
    raise LookupError("here")
