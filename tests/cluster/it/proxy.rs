//! A way to the API server that can be cut for a while, for one run alone.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::cluster::{cluster, kubectl};

/// A proxy on a port of its own. Its threads end with the process.
pub(crate) struct Proxy {
    /// Leads through it.
    pub(crate) kubeconfig: PathBuf,
    stalled: Arc<AtomicBool>,
}

impl Proxy {
    /// Listens, and writes a kubeconfig into the folder.
    pub(crate) fn start(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = kubectl(["config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"]);
        let upstream = server.strip_prefix("https://").unwrap().to_owned();
        let kubeconfig = folder.join("proxy.kubeconfig");
        let text = std::fs::read_to_string(&cluster().kubeconfig).unwrap();
        std::fs::write(&kubeconfig, text.replace(&server, &format!("https://{address}"))).unwrap();
        let stalled = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stalled);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&upstream).unwrap());
                let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
                for (from, to) in [(client, server), back] {
                    let flag = Arc::clone(&flag);
                    std::thread::spawn(move || carry(from, to, &flag));
                }
            }
        });
        Self { kubeconfig, stalled }
    }

    /// Holds everything back from here on, or lets it go. No connection is closed: as with a cable that is pulled.
    pub(crate) fn stall(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, stalled: &AtomicBool) {
    let mut buffer = [0; 16384];
    while let Ok(count) = from.read(&mut buffer) {
        while stalled.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(20));
        }
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
