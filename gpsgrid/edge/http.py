"""The HTTP door: one application put together from one router per noun.

The bodies are public contracts and live in the core (``answer_json``, ``cell_json``, ``point_corrections``,
``status_json``, ``problem``). Nothing is computed in the event loop.
"""

from fastapi import FastAPI

from gpsgrid.edge.http_body import Workbench
from gpsgrid.edge.http_cells import cells_router
from gpsgrid.edge.http_corrections import corrections_router
from gpsgrid.edge.http_position import position_router
from gpsgrid.edge.http_problems import add_problems
from gpsgrid.edge.http_reference import DESCRIPTION
from gpsgrid.edge.http_service import PositionService
from gpsgrid.edge.http_status import status_router


def create_app(service: PositionService) -> FastAPI:
    """Return the web application of a service."""
    app = FastAPI(title="gpsgrid", description=DESCRIPTION, version="1", redoc_url=None)
    add_problems(app, service.metrics)
    bench = Workbench()
    app.include_router(position_router(service, bench))
    app.include_router(corrections_router(service, bench))
    app.include_router(cells_router(service))
    app.include_router(status_router(service))
    return app
