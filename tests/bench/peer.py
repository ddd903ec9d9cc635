"""HealthChain, the nearest peer, with a hook that does nothing: it parses and validates the call and answers no card.

It pins other versions of our dependencies, so it runs in an environment of its own:
``HEALTHCHAIN_PYTHON=/path/to/python make bench``, where that Python has ``healthchain`` and ``uvicorn`` installed.
Only the standard library and these two are imported when this file is run.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys

PYTHON = os.environ.get("HEALTHCHAIN_PYTHON", "")
"""The interpreter with HealthChain; empty to leave it out."""


def main(port: int, service_id: str, core: int) -> None:
    """Serve until killed."""
    if os.cpu_count() != 1:
        os.sched_setaffinity(0, {core})
    gateway = importlib.import_module("healthchain.gateway")
    cds = importlib.import_module("healthchain.gateway.cds")
    models = importlib.import_module("healthchain.models")
    uvicorn = importlib.import_module("uvicorn")
    hooks = cds.CDSHooksService(config=cds.CDSHooksConfig(base_path=""), use_events=False)

    def nothing(request: object) -> object:
        return models.CDSResponse(cards=[])

    hooks.hook("patient-view", id=service_id)(nothing)
    app = gateway.HealthChainAPI(enable_events=False, enable_cors=False)
    app.register_service(hooks, path="")
    gc.collect()
    gc.freeze()
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
