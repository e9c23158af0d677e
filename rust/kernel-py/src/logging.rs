//! Glue for the audit log: `core::log`, batch by batch.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use strongroom_kernel_core as core;
use strongroom_kernel_core::Filling;

#[pyfunction]
pub fn commit_records<'py>(
    py: Python<'py>,
    contents: &Bound<'py, PyList>,
    salts: &[u8],
) -> PyResult<Bound<'py, PyList>> {
    let count = contents.len();
    if count == 0 || !salts.len().is_multiple_of(count) {
        return if count == 0 {
            Ok(PyList::empty(py))
        } else {
            Err(PyValueError::new_err("salts of one length each"))
        };
    }
    let committed = PyList::empty(py);
    for (content, salt) in contents.iter().zip(salts.chunks_exact(salts.len() / count)) {
        let (entry, line) = core::commit(salt, content.cast::<PyBytes>()?.as_bytes());
        committed.append((PyBytes::new(py, &entry), PyBytes::new(py, &line)))?;
    }
    Ok(committed)
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
