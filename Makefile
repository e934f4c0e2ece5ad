.PHONY: demo test setup check
demo test setup:
	bash scripts/bootstrap.sh $@
check: setup
	.venv/bin/python -m pip install --quiet -e '.[dev]'
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/pyright
