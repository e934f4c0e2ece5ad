.PHONY: demo test setup check docs
demo test setup:
	bash scripts/bootstrap.sh $@
check: setup
	.venv/bin/python -m pip install --quiet -e '.[dev]'
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/pyright
docs: setup
	.venv/bin/python -m pip install --quiet -e '.[docs]'
	.venv/bin/python -m sphinx -W --keep-going -n -b html docs docs/_build/html
