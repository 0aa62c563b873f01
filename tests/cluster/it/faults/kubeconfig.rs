//! Kubeconfigs that lead somewhere else, or nowhere.

use std::fs;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::kubectl;

/// Writes the tests' kubeconfig, changed, into a folder.
pub(super) fn changed(folder: &Path, change: impl FnOnce(&mut Value)) -> PathBuf {
    let mut config: Value =
        serde_json::from_str(&kubectl(["config", "view", "--raw", "--minify", "-o", "json"])).unwrap();
    change(&mut config);
    let path = folder.join("kubeconfig");
    fs::write(&path, config.to_string()).unwrap();
    path
}

/// Returns the address of the API server, as `host:port`.
pub(super) fn server() -> String {
    let url = kubectl(["config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"]);
    url.trim_start_matches("https://").to_owned()
}

/// A way to the API server that can be cut.
pub(super) struct Bridge {
    pub(super) port: u16,
    over: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Bridge {
    /// Opens a way; port 0 chooses one.
    pub(super) fn open(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (over, connections) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (until, open, server) = (Arc::clone(&over), Arc::clone(&connections), server());
        let thread = thread::spawn(move || {
            while !until.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((client, _)) => join(&client, &server, &open),
                    Err(_) => thread::sleep(Duration::from_millis(20)),
                }
            }
        });
        Self { port, over, connections, thread: Some(thread) }
    }

    /// Ends all connections and listens no more.
    pub(super) fn cut(mut self) {
        self.over.store(true, Ordering::SeqCst);
        self.thread.take().map(thread::JoinHandle::join).unwrap().unwrap();
        for connection in self.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

/// Lets both ends talk until one is done.
fn join(client: &TcpStream, server: &str, open: &Mutex<Vec<TcpStream>>) {
    let Ok(server) = TcpStream::connect(server) else { return };
    client.set_nonblocking(false).unwrap();
    for (from, to) in [(client, &server), (&server, client)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        open.lock().unwrap().push(from.try_clone().unwrap());
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}
