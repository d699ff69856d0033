//! The documentation, run and compared: what a page says is what happens.
//!
//! `page` plays the console blocks of READMEs and guides against the real binary and the vendors' own
//! clients. `reference` makes the generated parts of docs/reference anew; `MLEMU_BLESS=1` writes them.

#![expect(clippy::disallowed_methods, reason = "tests start the real program")]

mod generated;
mod markdown;
mod matching;
mod page;
mod reference;
mod stage;
mod tools;

use page::play;

#[test]
fn readme() {
    play("README.md", "", &["node", "npm"]);
}

#[test]
fn first_steps() {
    play("docs/guides/first-steps.md", "", &[]);
}

#[test]
fn hot_reload() {
    play("docs/guides/hot-reload.md", "", &[]);
}

#[test]
fn triggers() {
    play("docs/guides/triggers.md", "", &[]);
}

#[test]
fn testing() {
    play("docs/guides/testing.md", "", &[]);
}

#[test]
fn limits_and_truth() {
    play("docs/guides/limits-and-truth.md", "", &[]);
}

#[test]
fn fit() {
    play("docs/guides/fit.md", "", &[]);
}

#[test]
fn configuration() {
    play("docs/guides/configuration.md", "", &[]);
}

#[test]
fn diabetes() {
    play("examples/diabetes/README.md", "examples/diabetes", &[]);
}

#[test]
fn diabetes_onnx() {
    play("examples/diabetes-onnx/README.md", "examples/diabetes-onnx", &[]);
}

#[test]
fn batch_scoring() {
    play("examples/batch-scoring/README.md", "examples/batch-scoring", &[]);
}

#[test]
fn composition() {
    play("examples/composition/README.md", "examples/composition", &[]);
}

#[test]
fn memorability() {
    play("examples/memorability/README.md", "examples/memorability", &[]);
}

#[test]
fn ai_platform_sentiment() {
    play("examples/ai-platform-sentiment/README.md", "examples/ai-platform-sentiment", &[]);
}

#[test]
fn models() {
    play("docs/guides/models.md", "", &[]);
}

#[test]
fn diabetes_azure() {
    play("examples/diabetes-azure/README.md", "examples/diabetes-azure", &[]);
}

#[test]
fn diabetes_gcf() {
    play("examples/diabetes-gcf/README.md", "examples/diabetes-gcf", &[]);
}

#[test]
fn sentiment_azure() {
    play("examples/sentiment-azure/README.md", "examples/sentiment-azure", &[]);
}

#[test]
fn which_flower_azure() {
    play("examples/which-flower-azure/README.md", "examples/which-flower-azure", &[]);
}

#[test]
fn cold_starts() {
    play("docs/guides/cold-starts.md", "", &[]);
}

#[test]
fn cost() {
    play("docs/guides/cost.md", "", &[]);
}

#[test]
fn tuning() {
    play("docs/guides/tuning.md", "", &[]);
}

#[test]
fn azure() {
    play("docs/guides/azure.md", "", &[]);
}

#[test]
fn thumbnailer() {
    play("examples/thumbnailer/README.md", "examples/thumbnailer", &["node", "npm"]);
}

#[test]
fn sentiment() {
    play("examples/sentiment/README.md", "examples/sentiment", &[]);
}

#[test]
fn google_cloud() {
    play("docs/guides/google-cloud.md", "", &[]);
}

#[test]
fn which_flower() {
    play("examples/which-flower/README.md", "examples/which-flower", &[]);
}
