//! Glue between the kernel and Python: names and behaviour are those of `_kernel/python.py`, whose docstrings
//! say what each function means; `_kernel/native.pyi` has the types.

mod logging;
mod sealing;

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use strongroom_kernel_core as core;
use strongroom_kernel_core::{Algorithm, Column, Form, Given, Refusal};

create_exception!(strongroom_kernel, Refused, PyException);

/// Chunks from this size on are opened without the interpreter's lock. Letting go of it and taking it again
/// costs some 100 ns when nobody waits, and rows open at about 1 GB in 3 s: at 16 KiB, under one part in 300.
const DETACH_BYTES: usize = 16 * 1024;

#[pyfunction]
fn cut<'py>(
    py: Python<'py>,
    data: &[u8],
    start: usize,
    limit: usize,
    runs: &[u8],
) -> PyResult<(Bound<'py, PyList>, usize)> {
    let (spans, rest) = core::cut(data, start, limit, runs);
    Ok((PyList::new(py, spans)?, rest))
}

#[pyfunction]
fn plain_round<'py>(py: Python<'py>, chunk: &[u8]) -> Option<(Bound<'py, PyBytes>, bool)> {
    core::plain_round(chunk).map(|(name, described)| (PyBytes::new(py, name), described))
}

#[pyfunction]
fn plain_reply(chunk: &[u8], described: bool) -> u8 {
    core::plain_reply(chunk, described)
}

#[pyfunction]
fn split_bind<'py>(py: Python<'py>, body: &[u8]) -> PyResult<Option<Bound<'py, PyTuple>>> {
    let Some(fields) = core::split_bind(body) else { return Ok(None) };
    let values = fields.values.iter().map(|value| value.map(|octets| PyBytes::new(py, octets)));
    let parts = (
        PyBytes::new(py, fields.portal),
        PyBytes::new(py, fields.statement),
        PyTuple::new(py, fields.formats)?,
        PyTuple::new(py, values)?,
        PyTuple::new(py, fields.result_formats)?,
    );
    Ok(Some(parts.into_pyobject(py)?))
}

#[pyclass(module = "strongroom_kernel", frozen)]
struct Mask(Arc<core::Mask>);

#[pymethods]
impl Mask {
    #[new]
    #[pyo3(signature = (kind, *, text=&b""[..], shown=0, limit=0, key=&b""[..]), text_signature = "(kind, *, text=b'', shown=0, limit=0, key=b'')")]
    fn new(kind: &str, text: &[u8], shown: usize, limit: usize, key: &[u8]) -> PyResult<Self> {
        let mask = core::Mask::new(kind, text, shown, limit, key);
        mask.map(|mask| Self(Arc::new(mask))).ok_or_else(|| PyValueError::new_err("no such mask"))
    }

    #[getter]
    fn reads(&self) -> bool {
        self.0.reads()
    }

    fn __call__<'py>(&self, py: Python<'py>, value: &[u8]) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let mut out = Vec::new();
        let given = self.0.write(value, &mut out).map_err(refused)?;
        Ok(bytes_of(py, given, &out))
    }
}

#[pyclass(module = "strongroom_kernel", frozen)]
struct Opener(Arc<Mutex<core::Opener>>);

#[pymethods]
impl Opener {
    #[new]
    #[pyo3(signature = (algorithm, keys, *, form, is_text, is_hexed, pad=0, mask=None))]
    #[allow(clippy::needless_pass_by_value)] // what Python hands over
    fn new(
        algorithm: &str,
        keys: Vec<(Bound<'_, PyBytes>, Bound<'_, PyBytes>, Bound<'_, PyBytes>)>,
        form: &str,
        is_text: bool,
        is_hexed: bool,
        pad: usize,
        mask: Option<PyRef<'_, Mask>>,
    ) -> PyResult<Self> {
        let keys: Vec<_> = keys
            .iter()
            .map(|(prefix, key, context)| (prefix.as_bytes(), key.as_bytes(), context.as_bytes()))
            .collect();
        let parts = algorithm_of(algorithm).zip(form_of(form, is_text));
        parts
            .and_then(|(algorithm, form)| core::Opener::new(algorithm, &keys, form, pad, is_hexed))
            .and_then(|opener| match mask {
                Some(mask) => opener.masked(Arc::clone(&mask.0)),
                None => Some(opener),
            })
            .map(|opener| Self(Arc::new(Mutex::new(opener))))
            .ok_or_else(|| PyValueError::new_err("no such algorithm, form, mask or size of key"))
    }

    fn __call__<'py>(&self, py: Python<'py>, value: &[u8]) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let mut out = Vec::with_capacity(value.len());
        let given = locked(&self.0).open(value, &mut out).map_err(refused)?;
        Ok(bytes_of(py, given, &out))
    }
}

#[pyclass(module = "strongroom_kernel", frozen)]
struct Rows {
    columns: Vec<(usize, OneColumn)>,
    count: usize,
    all_native: bool,
}

#[pymethods]
impl Rows {
    #[new]
    #[allow(clippy::needless_pass_by_value)] // what Python hands over
    fn new(columns: Vec<Option<Bound<'_, PyAny>>>) -> PyResult<Self> {
        let (mut steps, mut skipped) = (Vec::new(), 0);
        for column in &columns {
            match column {
                None => skipped += 1,
                Some(opener) => {
                    steps.push((skipped, OneColumn::of(opener)?));
                    skipped = 0;
                }
            }
        }
        let all_native = steps.iter().all(|(_, column)| !matches!(column, OneColumn::Python(_)));
        Ok(Self { columns: steps, count: columns.len(), all_native })
    }

    fn open<'py>(&self, py: Python<'py>, chunk: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::new();
        self.open_into(py, chunk, &mut out)?;
        Ok(PyBytes::new(py, &out))
    }
}

impl Rows {
    fn open_into(&self, py: Python<'_>, chunk: &[u8], out: &mut Vec<u8>) -> PyResult<()> {
        let mut columns: Vec<(usize, &OneColumn)> =
            self.columns.iter().map(|(skipped, column)| (*skipped, column)).collect();
        let mut work = || core::open_rows(&mut columns, self.count, chunk, out);
        let done = if self.all_native && chunk.len() >= DETACH_BYTES { py.detach(work) } else { work() };
        done.map_err(|failed| match failed {
            Failed::Refused(refusal) => refused(refusal),
            Failed::Raised(error) => error,
        })
    }
}

#[pyclass(module = "strongroom_kernel", frozen)]
struct Answer {
    rows: Option<Py<Rows>>,
    described: Vec<u8>,
    shown: Vec<u8>,
}

#[pymethods]
impl Answer {
    #[new]
    fn new(rows: Option<Py<Rows>>, described: &[u8], shown: &[u8]) -> Self {
        Self { rows, described: described.to_vec(), shown: shown.to_vec() }
    }

    fn open<'py>(&self, py: Python<'py>, chunk: &[u8]) -> PyResult<Option<(u8, Bound<'py, PyBytes>)>> {
        let Some((rows, status)) = core::answer(chunk, &self.described) else { return Ok(None) };
        let mut out = Vec::with_capacity(chunk.len() + self.shown.len());
        out.extend_from_slice(core::BOUND);
        out.extend_from_slice(&self.shown);
        match &self.rows {
            Some(opener) => opener.get().open_into(py, &chunk[rows.clone()], &mut out)?,
            None => out.extend_from_slice(&chunk[rows.clone()]),
        }
        out.extend_from_slice(&chunk[rows.end..]);
        Ok(Some((status, PyBytes::new(py, &out))))
    }
}

enum OneColumn {
    Native(Arc<Mutex<core::Opener>>),
    Mask(Arc<core::Mask>),
    Python(Py<PyAny>),
}

impl OneColumn {
    fn of(opener: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(native) = opener.cast::<Opener>() {
            return Ok(Self::Native(Arc::clone(&native.get().0)));
        }
        if let Ok(mask) = opener.cast::<Mask>() {
            return Ok(Self::Mask(Arc::clone(&mask.get().0)));
        }
        if opener.is_callable() {
            return Ok(Self::Python(opener.clone().unbind()));
        }
        Err(PyValueError::new_err("a column is an opener, a callable or None"))
    }
}

enum Failed {
    Refused(Refusal),
    Raised(PyErr),
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Column for &OneColumn {
    type Error = Failed;

    fn open(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<Given, Failed> {
        match self {
            OneColumn::Native(opener) => Ok(locked(opener).open(value, out)?),
            OneColumn::Mask(mask) => Ok(mask.write(value, out)?),
            OneColumn::Python(opener) => Python::attach(|py| {
                let result = opener.call1(py, (PyBytes::new(py, value),)).map_err(Failed::Raised)?;
                if result.is_none(py) {
                    return Ok(Given::Null);
                }
                out.extend_from_slice(result.extract::<&[u8]>(py).map_err(|e| Failed::Raised(e.into()))?);
                Ok(Given::Value)
            }),
        }
    }
}

fn bytes_of<'py>(py: Python<'py>, given: Given, out: &[u8]) -> Option<Bound<'py, PyBytes>> {
    match given {
        Given::Value => Some(PyBytes::new(py, out)),
        Given::Null => None,
    }
}

/// The opener or sealer, also after a panic of another thread: it holds nothing that a panic could leave half done.
fn locked<T>(opener: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    opener.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(refusal: Refusal) -> PyErr {
    Refused::new_err(match refusal {
        Refusal::Framing => "framing",
        Refusal::Value => "value",
    })
}

fn algorithm_of(name: &str) -> Option<Algorithm> {
    match name {
        "randomized" => Some(Algorithm::Randomized),
        "deterministic" => Some(Algorithm::Deterministic),
        _ => None,
    }
}

fn form_of(name: &str, text: bool) -> Option<Form> {
    Some(match name {
        "verbatim" => Form::Verbatim,
        "int2" => Form::Integer { size: 2, text },
        "int4" => Form::Integer { size: 4, text },
        "int8" => Form::Integer { size: 8, text },
        "bool" => Form::Bool { text },
        "uuid" => Form::Uuid { text },
        "bytea" => Form::Bytea { text },
        _ => return None,
    })
}

#[pymodule]
fn strongroom_kernel(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("Refused", module.py().get_type::<Refused>())?;
    module.add_class::<Answer>()?;
    module.add_class::<Mask>()?;
    module.add_class::<Opener>()?;
    module.add_class::<Rows>()?;
    module.add_class::<logging::Template>()?;
    module.add_function(wrap_pyfunction!(logging::commit_records, module)?)?;
    module.add_function(wrap_pyfunction!(logging::cut_records, module)?)?;
    module.add_function(wrap_pyfunction!(logging::hash_leaves, module)?)?;
    module.add_function(wrap_pyfunction!(logging::hash_nodes, module)?)?;
    module.add_function(wrap_pyfunction!(logging::pack_entries, module)?)?;
    module.add_function(wrap_pyfunction!(logging::rows_at_end, module)?)?;
    module.add_class::<sealing::Sealer>()?;
    module.add_class::<sealing::Lines>()?;
    module.add_class::<sealing::Tuples>()?;
    module.add_class::<sealing::Series>()?;
    module.add_function(wrap_pyfunction!(sealing::plain_answers, module)?)?;
    module.add_function(wrap_pyfunction!(cut, module)?)?;
    module.add_function(wrap_pyfunction!(plain_round, module)?)?;
    module.add_function(wrap_pyfunction!(plain_reply, module)?)?;
    module.add_function(wrap_pyfunction!(split_bind, module)?)
}
