// Command tlog does with logs what Strongroom does, by code that Strongroom's authors did not write: the packages
// of Go's checksum database (golang.org/x/mod/sumdb) and of transparency.dev (merkle, formats, tessera).
//
//	tlog verify DIR LOG-KEY WITNESS-KEY OLDER-CHECKPOINT   everything in a log, and that it goes on from an older one
//	tlog proof FILE LOG-KEY                                 one record's proof
//	tlog consistent OLD-SIZE OLD-ROOT SIZE ROOT HASH...     a proof of consistency
//	tlog make DIR COUNT                                     a log of Tessera's, cosigned, with a proof of one entry
//
// It prints one JSON object, or says what is wrong and exits with 1. tests/audit/test_against_go.py runs it.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/transparency-dev/formats/log"
	cosignatures "github.com/transparency-dev/formats/note"
	records "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

func main() {
	commands := map[string]func(context.Context, []string) (any, error){
		"verify": verify, "proof": verifyProof, "consistent": consistent, "make": makeLog,
	}
	command, ok := commands[os.Args[1]]
	if !ok {
		slog.Error("no such command")
		os.Exit(2)
	}
	result, err := command(context.Background(), os.Args[2:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func verify(ctx context.Context, arguments []string) (any, error) {
	files := client.FileFetcher{Root: arguments[0]}
	key, err := note.NewVerifier(arguments[1])
	if err != nil {
		return nil, err
	}
	witness, err := cosignatures.NewVerifierForCosignatureV1(arguments[2])
	if err != nil {
		return nil, err
	}
	raw, err := files.ReadCheckpoint(ctx)
	if err != nil {
		return nil, err
	}
	head, _, signed, err := log.ParseCheckpoint(raw, key.Name(), key, witness)
	if err != nil {
		return nil, err
	}
	if len(signed.Sigs) != 2 {
		return nil, fmt.Errorf("%d of the two signatures hold", len(signed.Sigs))
	}
	when, err := cosignatures.CoSigV1Timestamp(signed.Sigs[1])
	if err != nil {
		return nil, err
	}
	if err := fsck.New(key.Name(), key, files, hashBundle, fsck.Opts{N: 2}).Check(ctx); err != nil {
		return nil, err
	}
	if err := goesOn(ctx, files, key, arguments[3]); err != nil {
		return nil, err
	}
	if err := readAsSumdb(arguments[0], head); err != nil {
		return nil, err
	}
	return map[string]any{"size": head.Size, "root": head.Hash, "witnessed": when.Unix()}, nil
}

// hashBundle gives the leaf hashes of a bundle's entries.
func hashBundle(octets []byte) ([][]byte, error) {
	bundle := api.EntryBundle{}
	if err := bundle.UnmarshalText(octets); err != nil {
		return nil, err
	}
	hashes := make([][]byte, 0, len(bundle.Entries))
	for _, entry := range bundle.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

// goesOn has Tessera's client follow the log from an older checkpoint to the present one.
func goesOn(ctx context.Context, files client.FileFetcher, key note.Verifier, older string) error {
	raw, err := os.ReadFile(older)
	if err != nil {
		return err
	}
	latest := client.UnilateralConsensus(files.ReadCheckpoint)
	tracker, err := client.NewLogStateTracker(ctx, files.ReadTile, raw, key, key.Name(), latest)
	if err != nil {
		return err
	}
	_, _, _, err = tracker.Update(ctx)
	return err
}

// tiles reads a log's tiles for golang.org/x/mod/sumdb/tlog, which has another prefix for their paths.
type tiles string

func (t tiles) Height() int { return tileHeight }

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, 0, len(wanted))
	for _, tile := range wanted {
		path := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		octets, err := os.ReadFile(filepath.Join(string(t), path))
		if err != nil {
			return nil, err
		}
		found = append(found, octets)
	}
	return found, nil
}

// readAsSumdb computes the root, and proves entries, with the code of Go's checksum database.
func readAsSumdb(dir string, head *log.Checkpoint) error {
	size, root := int64(head.Size), tlog.Hash(head.Hash)
	hashes := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, tiles(dir))
	computed, err := tlog.TreeHash(size, hashes)
	if err != nil || computed != root {
		return errors.Join(errors.New("sumdb/tlog computes another root"), err)
	}
	for _, index := range []int64{0, size / 3, size / 2, size - 1} {
		proof, err := tlog.ProveRecord(size, index, hashes)
		if err != nil {
			return err
		}
		leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, size, root, index, leaf[0]); err != nil {
			return err
		}
	}
	return nil
}

func verifyProof(_ context.Context, arguments []string) (any, error) {
	raw, err := os.ReadFile(arguments[0])
	if err != nil {
		return nil, err
	}
	key, err := note.NewVerifier(arguments[1])
	if err != nil {
		return nil, err
	}
	var file records.TLogProof
	if err := file.Unmarshal(raw); err != nil {
		return nil, err
	}
	head, _, _, err := log.ParseCheckpoint(file.Checkpoint, key.Name(), key)
	if err != nil {
		return nil, err
	}
	// Of the extra, as docs/spec/audit-log.md has it: the entry, the salt and the content.
	parts := bytes.SplitN(file.ExtraData, []byte(" "), 3)
	entry, err := base64.StdEncoding.DecodeString(string(parts[0]))
	if err != nil {
		return nil, err
	}
	salt, err := base64.StdEncoding.DecodeString(string(parts[1]))
	if err != nil {
		return nil, err
	}
	committed := sha256.Sum256(append(salt, parts[2]...))
	if !bytes.Equal(entry, append([]byte{1}, committed[:]...)) {
		return nil, errors.New("the entry commits to another content")
	}
	hashes := make([][]byte, 0, len(file.Hashes))
	for _, hash := range file.Hashes {
		hashes = append(hashes, hash[:])
	}
	hasher := rfc6962.DefaultHasher
	leaf := hasher.HashLeaf(entry)
	if err := proof.VerifyInclusion(hasher, file.Index, head.Size, leaf, hashes, head.Hash); err != nil {
		return nil, err
	}
	return map[string]any{"index": file.Index, "content": string(parts[2])}, nil
}

func consistent(_ context.Context, arguments []string) (any, error) {
	old, err := strconv.ParseUint(arguments[0], 10, 64)
	if err != nil {
		return nil, err
	}
	size, err := strconv.ParseUint(arguments[2], 10, 64)
	if err != nil {
		return nil, err
	}
	hashes := make([][]byte, 0, len(arguments))
	for _, text := range append([]string{arguments[1], arguments[3]}, arguments[4:]...) {
		hash, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	err = proof.VerifyConsistency(rfc6962.DefaultHasher, old, size, hashes[2:], hashes[0], hashes[1])
	return map[string]any{"from": old, "to": size}, err
}

func makeLog(ctx context.Context, arguments []string) (any, error) {
	dir := arguments[0]
	count, err := strconv.Atoi(arguments[1])
	if err != nil {
		return nil, err
	}
	secret, key, err := note.GenerateKey(rand.Reader, "tessera.example/log")
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return nil, err
	}
	reader, index, err := fill(ctx, dir, signer, count)
	if err != nil {
		return nil, err
	}
	witness, err := cosign(ctx, dir, reader, key)
	if err != nil {
		return nil, err
	}
	return map[string]any{"key": key, "witness": witness}, prove(ctx, dir, reader, index, entry(count/3))
}

// entry makes the entries of our log: the first is empty, and others are longer and longer.
func entry(number int) []byte {
	return bytes.Repeat([]byte{byte(number)}, number%1500)
}

// fill has Tessera make a log of so many entries; it says where the one stands that is a third of them on.
func fill(ctx context.Context, dir string, signer note.Signer, count int) (tessera.LogReader, uint64, error) {
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return nil, 0, err
	}
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).
		WithBatching(1000, 20*time.Millisecond).WithCheckpointInterval(100 * time.Millisecond)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return nil, 0, err
	}
	pending := make([]tessera.IndexFuture, 0, count)
	for number := range count {
		pending = append(pending, appender.Add(ctx, tessera.NewEntry(entry(number))))
	}
	var index uint64
	for number, future := range pending {
		added, err := future()
		if err != nil {
			return nil, 0, err
		}
		if number == count/3 {
			index = added.Index
		}
	}
	return reader, index, shutdown(ctx) // which waits until there is a checkpoint of all
}

// cosign adds a witness's signature to the checkpoint, and gives the witness's key.
func cosign(ctx context.Context, dir string, reader tessera.LogReader, key string) (string, error) {
	raw, err := reader.ReadCheckpoint(ctx)
	if err != nil {
		return "", err
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return "", err
	}
	secret, public, err := note.GenerateKey(rand.Reader, "witness.example/go")
	if err != nil {
		return "", err
	}
	witness, err := cosignatures.NewSignerForCosignatureV1(secret)
	if err != nil {
		return "", err
	}
	opened, err := note.Open(raw, note.VerifierList(verifier))
	if err != nil {
		return "", err
	}
	signed, err := note.Sign(opened, witness)
	if err != nil {
		return "", err
	}
	converted, err := cosignatures.VKeyToCosignatureV1(public)
	if err != nil {
		return "", err
	}
	return converted, os.WriteFile(filepath.Join(dir, "checkpoint"), signed, 0o600)
}

// prove writes a proof of an entry beside the log, as C2SP tlog-proof has it.
func prove(ctx context.Context, dir string, reader tessera.LogReader, index uint64, entry []byte) error {
	raw, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return err
	}
	var head log.Checkpoint
	if _, err := head.Unmarshal(raw); err != nil {
		return err
	}
	builder, err := client.NewProofBuilder(ctx, head.Size, reader.ReadTile)
	if err != nil {
		return err
	}
	path, err := builder.InclusionProof(ctx, index)
	if err != nil {
		return err
	}
	extra := base64.StdEncoding.EncodeToString(entry) + " -"
	file := records.TLogProof{Index: index, Checkpoint: raw, ExtraData: []byte(extra)}
	for _, hash := range path {
		file.Hashes = append(file.Hashes, [sha256.Size]byte(hash))
	}
	return os.WriteFile(filepath.Join(dir, "one.tlog-proof"), file.Marshal(), 0o600)
}
