//! Glue for the audit log: `core::log`, batch by batch.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use strongroom_kernel_core as core;
use strongroom_kernel_core::{Answered, Filling};

#[pyfunction]
pub fn commit_records<'py>(
    py: Python<'py>,
    contents: &Bound<'py, PyList>,
    salts: &[u8],
    most: usize,
) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyList>)> {
    let (entries, lines) = (PyList::empty(py), PyList::empty(py));
    let size = salts.len() / contents.len().max(1);
    for (number, content) in contents.iter().enumerate() {
        let content = content.cast::<PyBytes>()?.as_bytes();
        let salt = &salts[number * size..(number + 1) * size];
        let (entry, line) = core::commit(salt, content, most).ok_or_else(no_contents)?;
        entries.append(PyBytes::new(py, &entry))?;
        lines.append(PyBytes::new(py, &line))?;
    }
    if size * contents.len() == salts.len() { Ok((entries, lines)) } else { Err(no_contents()) }
}

fn no_contents() -> PyErr {
    PyValueError::new_err("contents of one line each, and salts of one length each")
}

#[pyfunction]
pub fn pack_entries<'py>(py: Python<'py>, entries: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyBytes>> {
    let mut packed = Vec::new();
    for entry in entries.iter() {
        if !core::pack_entry(entry.cast::<PyBytes>()?.as_bytes(), &mut packed) {
            return Err(PyValueError::new_err("an entry is longer than its length can say"));
        }
    }
    Ok(PyBytes::new(py, &packed))
}

#[pyfunction]
pub fn cut_records<'py>(py: Python<'py>, data: &[u8]) -> PyResult<(Bound<'py, PyList>, usize, bool)> {
    let (records, end, urgent) = core::cut_records(data);
    Ok((PyList::new(py, records.iter().map(|record| PyBytes::new(py, record)))?, end, urgent))
}

#[pyfunction]
pub fn rows_at_end(chunk: &[u8]) -> u64 {
    core::rows_at_end(chunk)
}

#[pyfunction]
pub fn hash_leaves<'py>(py: Python<'py>, entries: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyList>> {
    let hashes = PyList::empty(py);
    for entry in entries.iter() {
        hashes.append(PyBytes::new(py, &core::leaf_hash(entry.cast::<PyBytes>()?.as_bytes())))?;
    }
    Ok(hashes)
}

#[pyfunction]
pub fn hash_nodes<'py>(py: Python<'py>, nodes: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyList>> {
    let parents = PyList::empty(py);
    let mut left = None;
    for node in nodes.iter() {
        let node = node.cast_into::<PyBytes>()?;
        match left.take() {
            None => left = Some(node),
            Some(other) => {
                parents.append(PyBytes::new(py, &core::node_hash(other.as_bytes(), node.as_bytes())))?;
            }
        }
    }
    if left.is_some() { Err(PyValueError::new_err("an odd number of nodes")) } else { Ok(parents) }
}

#[pyclass(module = "strongroom_kernel", frozen)]
pub struct Template(core::Template);

#[pymethods]
impl Template {
    #[new]
    #[pyo3(text_signature = "(pieces)")]
    #[expect(clippy::needless_pass_by_value)] // what Python gives is a copy in any case
    fn new(pieces: Vec<Vec<u8>>) -> Self {
        Self(core::Template::new(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>()))
    }

    fn answers<'py>(
        &self,
        py: Python<'py>,
        rounds: &Bound<'py, PyList>,
        sequence: u64,
        ahead: f64,
        each: u64,
    ) -> PyResult<(Bound<'py, PyList>, u64)> {
        let given: Vec<(u64, Bound<'py, PyBytes>, f64, f64)> = rounds.extract()?;
        let rounds: Vec<_> = given
            .iter()
            .map(|(number, tail, at, begun)| Answered {
                number: *number,
                tail: tail.as_bytes(),
                at: *at,
                begun: *begun,
            })
            .collect();
        let (records, rows) = self.0.answers(&rounds, sequence, ahead, each).ok_or_else(misfit)?;
        Ok((PyList::new(py, records.iter().map(|record| PyBytes::new(py, record)))?, rows))
    }

    fn fill<'py>(&self, py: Python<'py>, fillings: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyBytes>> {
        let items: Vec<_> = fillings.iter_borrowed().collect();
        let mut given = Vec::with_capacity(items.len());
        for item in &items {
            given.push(if item.is_instance_of::<PyBytes>() {
                Filling::Ready(item.extract()?)
            } else {
                Filling::Number(item.extract().map_err(|_| misfit())?)
            });
        }
        let filled = self.0.fill(&given).ok_or_else(misfit)?;
        Ok(PyBytes::new(py, &filled))
    }
}

fn misfit() -> PyErr {
    PyValueError::new_err("fillings that do not fit the holes")
}
