"""Says what the functions-framework's own registry has once the module is loaded: its functions, with their signatures."""

import json
import os
import sys
import types

import flask
from functions_framework import _function_registry as registry

answer = sys.stdout
# What the module prints is no answer.
sys.stdout = sys.stderr
# As `python -m` has it.
sys.path[0] = os.getcwd()
module, spec = registry.load_function_module("main.py")
with flask.Flask("main").app_context():
    spec.loader.exec_module(module)
# The framework takes no target that the module does not have by that name.
servable = {name for name, value in vars(module).items() if isinstance(value, types.FunctionType)}
json.dump({name: kind for name, kind in registry.REGISTRY_MAP.items() if name in servable}, answer)
answer.flush()
# Threads of the module do not keep anybody waiting.
os._exit(0)
