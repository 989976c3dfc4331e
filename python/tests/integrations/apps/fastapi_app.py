"""A FastAPI app for uvicorn."""

import os

from fastapi import BackgroundTasks, FastAPI

import firebell

firebell.init("web")

app = FastAPI()


def after(item: int) -> None:
    """Run when the answer is out."""
    firebell.breadcrumb(f"after {item}")


@app.get("/items/{item}")
def read(item: int, background: BackgroundTasks) -> dict[str, int]:
    """Answer with the process that does."""
    background.add_task(after, item)
    return {"item": item, "pid": os.getpid()}


@app.get("/healthz")
def healthz() -> str:
    """Answer."""
    return "ok"
