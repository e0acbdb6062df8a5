"""Registers each capability's blueprint, and sets the garbage collector of the worker; nothing else."""

import gc

import azure.functions as func

from functions import health, loading, records, reminders, statistics

# A bundle of some hundred resources is a hundred thousand objects, none of them in a cycle. With the usual threshold
# the collector goes through them twenty times in vain, which is a tenth of the time that loading takes.
gc.set_threshold(100_000, 20, 100)

app = func.FunctionApp()

for capability in (health, loading, records, reminders, statistics):
    app.register_functions(capability.blueprint)
