package main

import (
	"archive/tar"
	"encoding/json"
	"io"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// nameAnnotation is where containerd looks for the name of an image in an archive.
const nameAnnotation = "io.containerd.image.name"

// assemble makes an image of its layers.
func assemble(i image, layers []*stored) (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for n, l := range layers {
		var err error
		img, err = mutate.Append(img, mutate.Addendum{Layer: l, History: v1.History{CreatedBy: i.layers[n].title()}})
		if err != nil {
			return nil, err
		}
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Config = "linux", runtime.GOARCH, i.config
	return mutate.ConfigFile(img, config)
}

// export writes one archive with all images: what they share is in it once, and blobs that the reader has are not.
func export(to io.Writer, images []image, made []v1.Image, has func(v1.Hash) bool) error {
	w := tar.NewWriter(to)
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	written := map[v1.Hash]bool{}
	bytesOf := func(digest v1.Hash, content []byte) error {
		if written[digest] {
			return nil
		}
		written[digest] = true
		return entry(w, blobPath(digest), content)
	}
	for n, img := range made {
		manifest, err := img.RawManifest()
		if err != nil {
			return err
		}
		config, err := img.RawConfigFile()
		if err != nil {
			return err
		}
		digest, err := img.Digest()
		if err != nil {
			return err
		}
		configName, err := img.ConfigName()
		if err != nil {
			return err
		}
		if err := bytesOf(digest, manifest); err != nil {
			return err
		}
		if err := bytesOf(configName, config); err != nil {
			return err
		}
		layers, err := img.Layers()
		if err != nil {
			return err
		}
		for _, l := range layers {
			digest, err := l.Digest()
			if err != nil {
				return err
			}
			if written[digest] || has(digest) {
				continue
			}
			written[digest] = true
			if err := layerEntry(w, digest, l); err != nil {
				return err
			}
		}
		index.Manifests = append(index.Manifests, v1.Descriptor{
			MediaType: types.OCIManifestSchema1, Digest: digest, Size: int64(len(manifest)),
			Annotations: map[string]string{nameAnnotation: prefix + images[n].name},
		})
	}
	text, err := json.Marshal(index)
	if err != nil {
		return err
	}
	if err := entry(w, "index.json", text); err != nil {
		return err
	}
	if err := entry(w, "oci-layout", []byte(`{"imageLayoutVersion": "1.0.0"}`)); err != nil {
		return err
	}
	return w.Close()
}

func blobPath(digest v1.Hash) string { return "blobs/" + digest.Algorithm + "/" + digest.Hex }

func entry(w *tar.Writer, name string, content []byte) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

func layerEntry(w *tar.Writer, digest v1.Hash, l v1.Layer) error {
	size, err := l.Size()
	if err != nil {
		return err
	}
	content, err := l.Compressed()
	if err != nil {
		return err
	}
	defer content.Close()
	if err := w.WriteHeader(&tar.Header{Name: blobPath(digest), Typeflag: tar.TypeReg, Mode: 0o644, Size: size}); err != nil {
		return err
	}
	_, err = io.Copy(w, content)
	return err
}

// digests lists the images by name, as the answer of `images list`.
func digests(images []image, made []v1.Image) (map[string]string, error) {
	all := map[string]string{}
	for n, img := range made {
		digest, err := img.Digest()
		if err != nil {
			return nil, err
		}
		all[prefix+images[n].name] = digest.String()
	}
	return all, nil
}
