//! What is counted of a plugin's calls while its builds come and go.

use super::{folder, put, reload, serves, version};
use crate::metrics::scrape;

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_counted_on_over_every_build() {
    let folder = folder();
    let gateway = folder.serve();
    serves(&gateway, "a", "1.0.0").await;
    let counted = async |gateway| {
        let page = scrape(gateway).await;
        let of = |name: &str| page.value(name, &[("plugin", "graded")]);
        (of("hookport_plugin_generation"), of("hookport_plugin_calls_total"))
    };
    let mut before = counted(&gateway).await.1;
    assert_eq!(before, 1.0);
    for (generation, new) in [(2, "2.0.0"), (3, "3.0.0")] {
        put(&folder, &version(new));
        reload(&gateway).await;
        // A build is tried with its own samples before it serves.
        let (serving, tried) = counted(&gateway).await;
        assert!(serving == f64::from(generation) && tried >= before, "{before} calls, and then {tried}");
        serves(&gateway, new, new).await;
        before = counted(&gateway).await.1;
        assert_eq!(before, tried + 1.0);
    }
    assert_eq!(gateway.stop().code, Some(0));
}
