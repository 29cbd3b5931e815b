#!/usr/bin/env python3
"""Reads what packaging/monitoring ships for Grafana and Prometheus.

Prints as JSON all queries of the dashboard, with Grafana's variables replaced, and the names of the
metrics that dashboard and alerts ask for. Fails where the dashboard is not as Grafana 10 has it:
panels overlap, lack a title, a description, a unit or a legend, or ask another data source than the
one that is chosen.
"""

import json
import re
import sys
from pathlib import Path

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# What Grafana puts in their place.
VARIABLES = {
    "$__rate_interval": "1m",
    "$instance": ".+",
}
NAME = re.compile(r"\bpexip_fw_[a-z0-9_]+")
problems = []


def expect(is_right, what):
    if not is_right:
        problems.append(what)


def query(where, text):
    for variable, value in VARIABLES.items():
        text = text.replace(variable, value)
    expect("$" not in text, f"{where}: a variable is not known: {text}")
    return {"where": where, "expr": text}


def targets(panel):
    title = panel["title"]
    references = [target["refId"] for target in panel["targets"]]
    expect(len(set(references)) == len(references), f"{title}: two queries have one id")
    for target in panel["targets"]:
        where = f"{title} {target['refId']}"
        expect(target["datasource"] == SOURCE, f"{where}: another data source")
        expect(target["instant"] != target["range"], f"{where}: instant or range")
        expect(target["legendFormat"] or panel["type"] == "table", f"{where}: no legend")
        yield query(where, target["expr"])


def panels(dashboard):
    identifiers, cells = set(), set()
    for panel in dashboard["panels"]:
        title = panel["title"]
        expect(panel["id"] not in identifiers, f"{title}: its id is another panel's")
        identifiers.add(panel["id"])
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        expect(not own & cells and max(x for x, _ in own) < 24, f"{title}: its place is taken")
        cells |= own
        if panel["type"] == "row":
            continue
        expect(title and panel["description"], f"{title}: no title or description")
        expect(panel["datasource"] == SOURCE, f"{title}: another data source")
        expect(panel["fieldConfig"]["defaults"]["unit"], f"{title}: no unit")
        expect(panel["targets"], f"{title}: no query")
        yield from targets(panel)
    for x, y in cells:
        expect(y == 0 or (x, y - 1) in cells, f"a gap above column {x} of line {y}")


def main():
    directory = Path(sys.argv[1])
    dashboard = json.loads((directory / "grafana-dashboard.json").read_text())
    expect(dashboard["id"] is None and dashboard["uid"], "the dashboard is a server's own")
    expect(dashboard["schemaVersion"] >= 38, "the dashboard is of a version before Grafana 10")
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    expect(variables["datasource"]["type"] == "datasource", "the data source can't be chosen")
    queries = list(panels(dashboard))
    for variable in variables.values():
        if variable["type"] == "query":
            expect(variable["datasource"] == SOURCE, f"{variable['name']}: another data source")
            metric, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["definition"]).groups()
            queries.append(query(f"variable {variable['name']}", f"count by ({label}) ({metric})"))
    for annotation in dashboard["annotations"]["list"]:
        expect(annotation["datasource"] == SOURCE, f"{annotation['name']}: another data source")
        queries.append(query(f"annotation {annotation['name']}", annotation["expr"]))
    texts = [found["expr"] for found in queries] + [(directory / "pexip-fw.rules.yml").read_text()]
    names = sorted({name for text in texts for name in NAME.findall(text)})
    print(json.dumps({"queries": queries, "names": names}))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


sys.exit(main())
