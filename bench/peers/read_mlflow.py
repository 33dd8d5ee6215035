"""Reads an MLflow file store with MLflow's own client and prints what it has, as JSON."""

import json
import os
import sys

# The file store is in maintenance: newer versions ask for consent.
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"

from mlflow.tracking import MlflowClient

client = MlflowClient(tracking_uri=sys.argv[1])
runs = []
for experiment in client.search_experiments():
    for run in client.search_runs([experiment.experiment_id]):
        metrics = {
            name: [[m.step, m.value] for m in client.get_metric_history(run.info.run_id, name)] for name in run.data.metrics
        }
        runs.append(
            {
                "experiment": experiment.name,
                "name": run.info.run_name,
                "status": run.info.status,
                "start": run.info.start_time,
                "end": run.info.end_time,
                "params": run.data.params,
                "tags": run.data.tags,
                "metrics": metrics,
                "artifacts": sorted(a.path for a in client.list_artifacts(run.info.run_id)),
            }
        )
print(json.dumps(runs))
