"""Trains the random forest of ../diabetes and writes it as model.onnx, which needs no Python to run."""

from pathlib import Path

from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor

HERE = Path(__file__).resolve().parent


def main():
    rows, progression = load_diabetes(return_X_y=True, scaled=False)
    forest = RandomForestRegressor(n_estimators=50, max_depth=6, random_state=0)
    forest.fit(rows, progression)
    # None: any number of rows at a time.
    model = to_onnx(forest, initial_types=[("X", FloatTensorType([None, rows.shape[1]]))])
    target = HERE / "model.onnx"
    target.write_bytes(model.SerializeToString())
    print(f"{target.name}: {forest.n_estimators} trees, {target.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
