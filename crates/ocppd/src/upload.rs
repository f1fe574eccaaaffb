//! Uploads of logs, beside the loop: pack an archive, transfer it, delete it.

use std::fs;
use std::path::{Path, PathBuf};

use ocpp16::{Upload, UploadFailure};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::archive::Logs;
use crate::transfer::{self, Target};

/// Below the state directory, and not in /tmp, which may be memory.
const FOLDER: &str = "upload";

/// The number of an upload, and how it went.
pub(crate) type Ended = (u64, Result<(), UploadFailure>);

/// Carries out one upload at a time.
#[derive(Debug)]
pub(crate) struct Uploader {
    folder: PathBuf,
    logs: Logs,
    running: Option<JoinHandle<()>>,
    ends: UnboundedSender<Ended>,
}

impl Uploader {
    /// What a former process has left is deleted.
    pub(crate) fn new(state_dir: &Path, logs: Logs) -> (Self, UnboundedReceiver<Ended>) {
        let folder = state_dir.join(FOLDER);
        if let Err(error) = fs::remove_dir_all(&folder)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("{}: {error}", folder.display());
        }
        let (ends, inbox) = unbounded_channel();
        let uploader = Self {
            folder,
            logs,
            running: None,
            ends,
        };
        (uploader, inbox)
    }

    /// Begins `upload`; one under way is broken off and does not end.
    pub(crate) fn start(&mut self, upload: Upload) {
        if let Some(running) = self.running.take() {
            running.abort();
        }
        let (logs, ends) = (self.logs.clone(), self.ends.clone());
        let folder = Folder(self.folder.join(upload.number.to_string()));
        self.running = Some(tokio::spawn(async move {
            let outcome = carry_out(&logs, &folder, &upload).await;
            drop(folder);
            // Nobody waits when the daemon ends.
            let _ = ends.send((upload.number, outcome));
        }));
    }
}

async fn carry_out(logs: &Logs, folder: &Folder, upload: &Upload) -> Result<(), UploadFailure> {
    let archive = match logs.pack(&folder.0, upload).await {
        Ok(archive) => archive,
        Err(error) => {
            tracing::error!("{} can't be packed: {error}", upload.file_name);
            return Err(UploadFailure::Failed);
        }
    };
    let target = Target::new(&upload.location, &upload.file_name, upload.upgrade_ftp);
    let result = transfer::send(&archive, &target).await;
    match &result {
        Ok(()) => tracing::info!("{} uploaded to {}", upload.file_name, upload.location),
        Err(error) => tracing::warn!(
            "{} not uploaded to {}: {error}",
            upload.file_name,
            upload.location
        ),
    }
    result.map_err(|error| error.failure())
}

/// A folder that is deleted in the end, also when its upload is broken off.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        if self.0.exists()
            && let Err(error) = fs::remove_dir_all(&self.0)
        {
            tracing::warn!("{}: {error}", self.0.display());
        }
    }
}
