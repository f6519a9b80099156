"""Bill-E's infrastructure as reusable components. Of `functions`, it imports the contract only."""

from components import policies
from components.alarm_topic import AlarmTopic, AlarmTopicArgs
from components.alarms import AlarmArgs, AlarmThresholds
from components.bill_e import BillE
from components.checks import InvalidInputError
from components.common import CommonArgs
from components.dashboard import Dashboard, DashboardArgs
from components.encryption_key import EncryptionKey
from components.ingest_pipeline import IngestPipeline, IngestPipelineArgs
from components.ledger import Ledger, LedgerArgs, Throughput
from components.ledger_api import IamAuth, JwtAuth, LedgerApi, LedgerApiArgs
from components.private_bucket import ObjectLock, PrivateBucket, PrivateBucketArgs
from components.python_function import PythonFunction, PythonFunctionArgs
from components.python_layer import PythonLayer, PythonLayerArgs
from components.settings import StackSettings

__all__ = [
    "AlarmArgs",
    "AlarmThresholds",
    "AlarmTopic",
    "AlarmTopicArgs",
    "BillE",
    "CommonArgs",
    "Dashboard",
    "DashboardArgs",
    "EncryptionKey",
    "IamAuth",
    "IngestPipeline",
    "IngestPipelineArgs",
    "InvalidInputError",
    "JwtAuth",
    "Ledger",
    "LedgerApi",
    "LedgerApiArgs",
    "LedgerArgs",
    "ObjectLock",
    "PrivateBucket",
    "PrivateBucketArgs",
    "PythonFunction",
    "PythonFunctionArgs",
    "PythonLayer",
    "PythonLayerArgs",
    "StackSettings",
    "Throughput",
    "policies",
]
