package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// store keeps layers by their digest, and remembers which recipe gave which. Its blobs folder is that of an OCI layout.
type store struct{ dir string }

func newStore(cache string) (*store, error) {
	s := &store{filepath.Join(cache, "images")}
	for _, dir := range []string{s.path("blobs", "sha256"), s.path("layers")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *store) path(name ...string) string {
	return filepath.Join(append([]string{s.dir}, name...)...)
}

func (s *store) blob(digest v1.Hash) string { return s.path("blobs", digest.Algorithm, digest.Hex) }

// stored is a layer in the store. It is not compressed: nobody sends it over a network.
type stored struct {
	Hash  v1.Hash `json:"digest"`
	Bytes int64   `json:"size"`
	file  string
}

func (l *stored) Digest() (v1.Hash, error)             { return l.Hash, nil }
func (l *stored) DiffID() (v1.Hash, error)             { return l.Hash, nil }
func (l *stored) Size() (int64, error)                 { return l.Bytes, nil }
func (l *stored) MediaType() (types.MediaType, error)  { return types.OCIUncompressedLayer, nil }
func (l *stored) Compressed() (io.ReadCloser, error)   { return os.Open(l.file) }
func (l *stored) Uncompressed() (io.ReadCloser, error) { return os.Open(l.file) }

// find returns the layer that a recipe gave before, or nil.
func (s *store) find(key string) *stored {
	text, err := os.ReadFile(s.path("layers", key))
	if err != nil {
		return nil
	}
	var l stored
	if json.Unmarshal(text, &l) != nil {
		return nil
	}
	l.file = s.blob(l.Hash)
	if info, err := os.Stat(l.file); err != nil || info.Size() != l.Bytes {
		return nil
	}
	return &l
}

// make returns the layer of a recipe, and builds it where it is not in the store. Whatever is in the store is whole: files get
// their names when they are.
func (s *store) make(key string, build func(*layerWriter) error) (*stored, error) {
	if l := s.find(key); l != nil {
		return l, nil
	}
	half, err := os.CreateTemp(s.dir, "half-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(half.Name())
	defer half.Close()
	hash := sha256.New()
	w := newLayerWriter(io.MultiWriter(half, hash))
	if err := build(w); err != nil {
		return nil, err
	}
	if err := w.tar.Close(); err != nil {
		return nil, err
	}
	size, err := half.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	l := &stored{Hash: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(hash.Sum(nil))}, Bytes: size}
	l.file = s.blob(l.Hash)
	if err := errors.Join(half.Chmod(0o644), half.Close(), os.Rename(half.Name(), l.file)); err != nil {
		return nil, err
	}
	return l, s.remember(key, l)
}

func (s *store) remember(key string, l *stored) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return writeWhole(s.path("layers", key), text)
}

// writeWhole writes a file so that a reader sees all of it or none.
func writeWhole(file string, content []byte) error {
	half := fmt.Sprintf("%s.%d", file, os.Getpid())
	if err := os.WriteFile(half, content, 0o644); err != nil {
		return err
	}
	return os.Rename(half, file)
}
