"""A stand-in for conda, for machines that can't have one.

``bin/conda`` answers what Snakemake asks of conda; it solves and installs with py-rattler from
the local channel that ``channel`` builds. It shows that the workflow is wired to conda, not that
environment.yml can be solved on conda-forge.
"""
