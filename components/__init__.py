"""Bill-E's infrastructure as reusable components. Never imports `functions`: it archives their files."""

from components.checks import InvalidInputError
from components.common import CommonArgs
from components.ingest_pipeline import IngestPipeline, IngestPipelineArgs
from components.ledger import Ledger, LedgerArgs
from components.ledger_api import IamAuth, JwtAuth, LedgerApi, LedgerApiArgs
from components.python_function import PythonFunction, PythonFunctionArgs
from components.python_layer import PythonLayer, PythonLayerArgs
from components.settings import StackSettings

__all__ = [
    "CommonArgs",
    "IamAuth",
    "IngestPipeline",
    "IngestPipelineArgs",
    "InvalidInputError",
    "JwtAuth",
    "Ledger",
    "LedgerApi",
    "LedgerApiArgs",
    "LedgerArgs",
    "PythonFunction",
    "PythonFunctionArgs",
    "PythonLayer",
    "PythonLayerArgs",
    "StackSettings",
]
