"""Registers each capability's blueprint, nothing else."""

import azure.functions as func

from functions import health, loading, records, reminders, statistics

app = func.FunctionApp()

for capability in (health, loading, records, reminders, statistics):
    app.register_functions(capability.blueprint)
