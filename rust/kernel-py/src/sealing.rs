//! Glue for what goes to the database; the twin is `_kernel/sealing.py`.

use std::sync::{Arc, Mutex};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use strongroom_kernel_core as core;
use strongroom_kernel_core::{Columns, Nonces, Refusal, Seal, Sealed, Syntax, Taken};

use crate::{Failed, Refused, algorithm_of, form_of, locked, refused};

/// Blocks from this size on are sealed without the interpreter's lock: they take some 5 ns an octet, and
/// letting go of the lock and taking it again some 100 ns when nobody waits.
const DETACH_BYTES: usize = 4 * 1024;

#[pyclass(module = "strongroom_kernel", frozen)]
pub struct Sealer(Arc<Mutex<core::Sealer>>);

#[pymethods]
impl Sealer {
    #[new]
    #[pyo3(signature = (algorithm, key, associated, *, form, is_text, limit=0, pad=0))]
    #[allow(clippy::needless_pass_by_value)] // what Python hands over
    fn new(
        algorithm: &str,
        key: (Bound<'_, PyBytes>, Bound<'_, PyBytes>),
        associated: &[u8],
        form: &str,
        is_text: bool,
        limit: usize,
        pad: usize,
    ) -> PyResult<Self> {
        let key = (key.0.as_bytes(), key.1.as_bytes());
        let parts = algorithm_of(algorithm).zip(form_of(form, is_text));
        parts
            .and_then(|(algorithm, form)| core::Sealer::new(algorithm, key, associated, form, limit, pad))
            .map(|sealer| Self(Arc::new(Mutex::new(sealer))))
            .ok_or_else(|| PyValueError::new_err("no such algorithm, form or size of key"))
    }

    fn __call__<'py>(&self, py: Python<'py>, value: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::with_capacity(value.len() + 64);
        locked(&self.0).seal(value, &mut Nonces::new(), &mut out).map_err(refused)?;
        Ok(PyBytes::new(py, &out))
    }
}

#[pyclass(module = "strongroom_kernel", frozen)]
pub struct Lines {
    stream: Stream,
    syntax: Syntax,
}

#[pymethods]
impl Lines {
    #[new]
    #[pyo3(signature = (columns, *, delimiter, null, quote))]
    #[allow(clippy::needless_pass_by_value)] // what Python hands over
    fn new(
        columns: Vec<Option<Bound<'_, PyAny>>>,
        delimiter: &[u8],
        null: &[u8],
        quote: &[u8],
    ) -> PyResult<Self> {
        let (&[delimiter], true) = (delimiter, quote.len() < 2 && !columns.is_empty()) else {
            return Err(PyValueError::new_err("a delimiter or quote is one octet, and a row is of columns"));
        };
        let stream = Stream::of(&columns)?;
        Ok(Self { stream, syntax: Syntax::new(delimiter, quote.first().copied(), null) })
    }

    fn seal<'py>(
        &self,
        py: Python<'py>,
        block: &[u8],
        end: &[u8],
    ) -> PyResult<(Bound<'py, PyBytes>, usize, Vec<usize>)> {
        let (out, sealed) =
            self.stream.seal(py, block.len(), |columns, out| self.syntax.seal(columns, block, end, out))?;
        Ok((out, sealed.rows, sealed.counts))
    }
}

#[pyclass(module = "strongroom_kernel", frozen)]
pub struct Tuples(Stream);

#[pymethods]
impl Tuples {
    #[new]
    #[allow(clippy::needless_pass_by_value)] // what Python hands over
    fn new(columns: Vec<Option<Bound<'_, PyAny>>>) -> PyResult<Self> {
        Stream::of(&columns).map(Self)
    }

    fn seal<'py>(
        &self,
        py: Python<'py>,
        data: &[u8],
        start: usize,
    ) -> PyResult<(Bound<'py, PyBytes>, usize, usize, Vec<usize>)> {
        let length = data.len().saturating_sub(start);
        let (out, sealed) =
            self.0.seal(py, length, |columns, out| core::seal_tuples(columns, data, start, out))?;
        Ok((out, sealed.end, sealed.rows, sealed.counts))
    }
}

#[pyclass(module = "strongroom_kernel", frozen)]
pub struct Series {
    shape: core::Series,
    columns: Vec<Taken<OneSeal>>,
    all_native: bool,
}

type Around = (Vec<u8>, Vec<u8>);

#[pymethods]
impl Series {
    #[new]
    #[pyo3(signature = (client, upstream, *, after, count, columns))]
    #[allow(clippy::needless_pass_by_value)] // what Python hands over
    fn new(
        client: Around,
        upstream: Around,
        after: &[u8],
        count: usize,
        columns: Vec<(usize, Option<Bound<'_, PyAny>>)>,
    ) -> PyResult<Self> {
        if columns.iter().any(|(place, _)| *place >= count) {
            return Err(PyValueError::new_err("a column is of one of the client's values"));
        }
        let taken = columns.iter().map(|(place, seal)| {
            let seal = seal.as_ref().map(OneSeal::of).transpose()?;
            Ok((*place, seal))
        });
        let columns = taken.collect::<PyResult<Vec<_>>>()?;
        let all_native = columns.iter().all(|(_, seal)| !matches!(seal, Some(OneSeal::Python(_))));
        let shape = core::Series { client, upstream, after: after.to_vec(), count };
        Ok(Self { shape, columns, all_native })
    }

    fn seal<'py>(
        &self,
        py: Python<'py>,
        data: &[u8],
        start: usize,
    ) -> PyResult<(Bound<'py, PyBytes>, usize, usize, Vec<usize>)> {
        let nonces = Mutex::new(Nonces::new());
        let nonces = &nonces;
        let mut columns: Vec<_> = self
            .columns
            .iter()
            .map(|(place, seal)| (*place, seal.as_ref().map(|seal| OneWork { seal, nonces })))
            .collect();
        let length = data.len().saturating_sub(start);
        let mut out = Vec::with_capacity(2 * length);
        let mut work = || self.shape.seal(&mut columns, data, start, &mut out);
        let done = if self.all_native && length >= DETACH_BYTES { py.detach(work) } else { work() };
        let bound = done.map_err(told)?;
        Ok((PyBytes::new(py, &out), bound.end, bound.rounds, bound.counts))
    }
}

#[pyfunction]
pub fn plain_answers(data: &[u8], start: usize, described: bool, most: usize) -> (usize, usize) {
    core::plain_answers(data, start, described, most)
}

/// The columns of a stream, and what seals those that are protected.
struct Stream {
    width: usize,
    seals: Vec<(usize, OneSeal)>,
    all_native: bool,
}

impl Stream {
    fn of(columns: &[Option<Bound<'_, PyAny>>]) -> PyResult<Self> {
        let protected = columns.iter().enumerate().filter_map(|(place, one)| Some((place, one.as_ref()?)));
        let seals =
            protected.map(|(place, one)| Ok((place, OneSeal::of(one)?))).collect::<PyResult<Vec<_>>>()?;
        let all_native = seals.iter().all(|(_, seal)| matches!(seal, OneSeal::Native(_)));
        Ok(Self { width: columns.len(), seals, all_native })
    }

    fn seal<'py>(
        &self,
        py: Python<'py>,
        length: usize,
        work: impl FnOnce(&mut Columns<'_, OneWork<'_>>, &mut Vec<u8>) -> Result<Sealed, Failed> + Send,
    ) -> PyResult<(Bound<'py, PyBytes>, Sealed)> {
        let mut out = Vec::with_capacity(3 * length);
        let nonces = Mutex::new(Nonces::new());
        let mut seals: Vec<_> =
            self.seals.iter().map(|(place, seal)| (*place, OneWork { seal, nonces: &nonces })).collect();
        let mut columns = Columns { width: self.width, seals: &mut seals };
        let work = || work(&mut columns, &mut out);
        let done = if self.all_native && length >= DETACH_BYTES { py.detach(work) } else { work() };
        let sealed = done.map_err(told)?;
        Ok((PyBytes::new(py, &out), sealed))
    }
}

fn told(failed: Failed) -> PyErr {
    match failed {
        Failed::Refused(refusal) => refused(refusal),
        Failed::Raised(error) => error,
    }
}

enum OneSeal {
    Native(Arc<Mutex<core::Sealer>>),
    Python(Py<PyAny>),
}

impl OneSeal {
    fn of(seal: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(native) = seal.cast::<Sealer>() {
            return Ok(Self::Native(Arc::clone(&native.get().0)));
        }
        if seal.is_callable() {
            return Ok(Self::Python(seal.clone().unbind()));
        }
        Err(PyValueError::new_err("a column is a sealer, a callable or None"))
    }
}

fn raised(py: Python<'_>, error: PyErr) -> Failed {
    if error.is_instance_of::<Refused>(py) { Failed::Refused(Refusal::Value) } else { Failed::Raised(error) }
}

/// A seal during one call, whose columns share their nonces.
struct OneWork<'a> {
    seal: &'a OneSeal,
    nonces: &'a Mutex<Nonces>,
}

impl Seal for OneWork<'_> {
    type Error = Failed;

    fn is_refusal(error: &Failed) -> bool {
        matches!(error, Failed::Refused(_))
    }

    fn seal(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Failed> {
        match self.seal {
            OneSeal::Native(sealer) => Ok(locked(sealer).seal(value, &mut locked(self.nonces), out)?),
            OneSeal::Python(seal) => Python::attach(|py| {
                let result = seal.call1(py, (PyBytes::new(py, value),)).map_err(|error| raised(py, error))?;
                out.extend_from_slice(result.extract::<&[u8]>(py).map_err(|e| Failed::Raised(e.into()))?);
                Ok(())
            }),
        }
    }
}
