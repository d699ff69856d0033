"""Trains the random forest on scikit-learn's diabetes table and writes model.joblib, or the file that is named."""

import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor

HERE = Path(__file__).resolve().parent


def main():
    rows, progression = load_diabetes(return_X_y=True, scaled=False)
    model = RandomForestRegressor(n_estimators=50, max_depth=6, random_state=0)
    model.fit(rows, progression)
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "model.joblib"
    joblib.dump(model, target)
    print(f"{target.name}: {len(model.estimators_)} trees from {len(rows)} patients, "
          f"R2 {model.score(rows, progression):.2f} on the rows that it was trained on")


if __name__ == "__main__":
    main()
