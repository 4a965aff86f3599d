"""What tickets of the tests name as their entry. Executors import this file, so it needs no more than pyspark."""

import json
import os
import socket
import threading

from pyspark import BarrierTaskContext, TaskContext


def report(ticket, environment):
    """Tell the desk of the test who and where this is, and leave when it says so."""
    with _say_hello(ticket, environment) as connection:
        connection.makefile().readline()


def never_leave(ticket, environment):
    with _say_hello(ticket, environment):
        threading.Event().wait()


def fail(ticket, environment):
    raise ValueError(f"seat {ticket.seat} is broken")


def without_maggy(ticket, environment):
    raise ModuleNotFoundError("No module named 'maggy'")  # as where it is not installed


def _say_hello(ticket, environment):
    task = TaskContext.get()
    host, _, port = ticket.address.removeprefix("tcp://").partition(":")
    connection = socket.create_connection((host, int(port)))
    hello = {
        "seat": ticket.seat,
        "experiment": ticket.experiment,
        "secret_key": ticket.secret_key,
        "pid": os.getpid(),
        "executor": os.getppid(),  # each executor forks its tasks from a daemon of its own
        "attempt": task.attemptNumber(),
        "together": isinstance(task, BarrierTaskContext),
        "environment": dict(environment),
        "properties": dict(task._localProperties),
    }
    connection.sendall(json.dumps(hello).encode() + b"\n")
    return connection
