"""Registers each capability's blueprint, nothing else."""

import azure.functions as func

from functions import health, records

app = func.FunctionApp()

for capability in (health, records):
    app.register_functions(capability.blueprint)
