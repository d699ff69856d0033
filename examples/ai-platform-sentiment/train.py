"""Trains two versions of a model on the words of VADER's lexicon: single words, and words with what they begin with.

A review is taken apart into words; each word that people found kind or unkind moves the probability.
"""

from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import StringTensorType
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

HERE = Path(__file__).resolve().parent


def words():
    """Words of letters alone, and how kind people found each, from -4 to 4."""
    lexicon = SentimentIntensityAnalyzer().lexicon
    return {word: valence for word, valence in lexicon.items() if word.isascii() and word.isalpha()}


def main():
    lexicon = words()
    texts, valences = np.array(list(lexicon)), np.array(list(lexicon.values()))
    for name, strength in [("bold", 100.0), ("careful", 1.0)]:
        model = make_pipeline(
            CountVectorizer(token_pattern="[a-zA-Z]+"), LogisticRegression(C=strength, max_iter=1000)
        )
        model.fit(texts, valences > 0, logisticregression__sample_weight=np.abs(valences))
        # Lower case as in C: other locales are not on every machine.
        options = {id(model): {"zipmap": False}, id(model[0]): {"locale": "C"}}
        graph = to_onnx(model, initial_types=[("text", StringTensorType([None, 1]))], options=options)
        (HERE / f"{name}.onnx").write_bytes(graph.SerializeToString())
        print(f"{name}.onnx: {len(texts)} words, {len(graph.SerializeToString()) // 1000} kB")


if __name__ == "__main__":
    main()
