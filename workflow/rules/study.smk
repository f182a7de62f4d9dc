"""The published study: each table by its name, with what it needs, and all of them."""

for table in wiring.study_tables(PARAMETERS):

    rule:
        name:
            table
        input:
            wiring.table_files(PLAN, table),
        localrule: True
        message:
            "The table is written, its runs are in MLflow"


rule ablations:
    input:
        [wiring.table_files(PLAN, table) for table in wiring.study_tables(PARAMETERS)],
    message:
        "All tables of the study are written, their runs are in MLflow"
