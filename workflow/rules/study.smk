"""The published study: each table by its name, with what it needs, and all of them."""

wiring.check_rule_names(PARAMETERS, (rule.name for rule in workflow.rules))

for table in PARAMETERS.tables:

    rule:
        name:
            table
        input:
            lambda wildcards, table=table: wiring.table_files(PARAMETERS, PLAN, table),
        localrule: True
        message:
            "The table is written, its runs are in MLflow"


rule ablations:
    input:
        lambda wildcards: wiring.ablation_files(PARAMETERS, PLAN),
    message:
        "All tables of the study are written that these data can show, their runs are in MLflow"
