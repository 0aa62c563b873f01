// Command images makes what the real node of a test cluster runs, without a container engine: container images of Debian
// packages, Python wheels and Go programs, and a folder with the node's own programs. It is run by ../../cluster.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const usage = `Usage:
  images build --cache DIR --sources DIR --overlay FILE NAME=PROGRAM...   make all images; prints their digests as JSON
  images export --cache DIR --sources DIR [--have DIR] NAME=PROGRAM...    write the same as one OCI archive to stdout, without
                                                                          the blobs that are in a folder by their hash
  images host --cache DIR                                                 unpack the node's programs; prints their folder
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "images: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	cache := flags.String("cache", "", "")
	sources := flags.String("sources", "", "")
	have := flags.String("have", "", "")
	overlay := flags.String("overlay", "", "")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if *cache == "" {
		return errors.New("--cache is missing")
	}
	packages, err := newApt(*cache)
	if err != nil {
		return err
	}
	if args[0] == "host" {
		dir, err := host(packages, *cache)
		if err == nil {
			fmt.Println(dir)
		}
		return err
	}
	programs := map[string]string{}
	for _, a := range flags.Args() {
		name, file, ok := strings.Cut(a, "=")
		if !ok {
			return fmt.Errorf("%q is not NAME=PROGRAM", a)
		}
		programs[name] = file
	}
	images := catalog(programs, *sources)
	made, err := makeAll(packages, *cache, images)
	if err != nil {
		return err
	}
	switch args[0] {
	case "build":
		if *overlay != "" {
			if err := os.WriteFile(*overlay, []byte(overlayText(images)), 0o644); err != nil {
				return err
			}
		}
		all, err := digests(images, made)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(all)
	case "export":
		return export(os.Stdout, images, made, func(digest v1.Hash) bool {
			_, err := os.Stat(filepath.Join(*have, digest.Hex))
			return *have != "" && err == nil
		})
	}
	return errors.New(usage)
}

// makeAll makes the images whose layers are not in the store. It says what it does only where there is something to do.
func makeAll(packages *apt, cache string, images []image) ([]v1.Image, error) {
	s, err := newStore(cache)
	if err != nil {
		return nil, err
	}
	// Of runs that were cut off; the caller lets one run at a time.
	for _, pattern := range []string{filepath.Join(cache, "scratch-*"), s.path("half-*")} {
		left, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range left {
			if err := os.RemoveAll(name); err != nil {
				return nil, err
			}
		}
	}
	b := &builder{apt: packages, cache: cache}
	if b.scratch, err = os.MkdirTemp(cache, "scratch-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(b.scratch)
	var made []v1.Image
	for _, i := range images {
		begin := time.Now()
		var layers []*stored
		fresh := 0
		for _, l := range i.layers {
			inputs, err := l.inputs()
			if err != nil {
				return nil, fmt.Errorf("image %s: %w", i.name, err)
			}
			key := keyOf(append([]string{format, fmt.Sprintf("%T", l)}, inputs...)...)
			if found := s.find(key); found != nil {
				layers = append(layers, found)
				continue
			}
			if fresh == 0 {
				fmt.Fprintf(os.Stderr, "image %s ...\n", i.name)
			}
			fresh++
			if err := b.needs(l); err != nil {
				return nil, err
			}
			done, err := s.make(key, func(w *layerWriter) error { return l.build(b, w) })
			if err != nil {
				return nil, fmt.Errorf("image %s, %s: %w", i.name, l.title(), err)
			}
			layers = append(layers, done)
		}
		img, err := assemble(i, layers)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", i.name, err)
		}
		made = append(made, img)
		if fresh > 0 {
			var size int64
			for _, l := range layers {
				size += l.Bytes
			}
			fmt.Fprintf(os.Stderr, "image %s: %d of %d layers made in %.0f s, %d MiB in all\n", i.name, fresh, len(layers), time.Since(begin).Seconds(), size>>20)
		}
	}
	return made, nil
}

// needs looks for the interpreter only where a layer is made with it.
func (b *builder) needs(l layer) (err error) {
	switch l.(type) {
	case lockedText, locked, ownPackage:
		if b.python == nil {
			b.python, err = newPython()
		}
	}
	return err
}

// hostPackages are the programs of a node. Those of the C library stay out: all of them run with the machine's own.
var hostPackages = []string{"containerd", "runc", "containernetworking-plugins", "iptables", "iproute2"}

// host unpacks the node's programs into the cache, without any change to the machine.
func host(packages *apt, cache string) (string, error) {
	dir := filepath.Join(cache, "node-"+keyOf(append([]string{format, codename}, hostPackages...)...)[:16])
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	files, err := packages.download(hostPackages...)
	if err != nil {
		return "", err
	}
	half, err := os.MkdirTemp(cache, "scratch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(half)
	if err := os.Chmod(half, 0o755); err != nil {
		return "", err
	}
	for _, file := range files {
		switch packageName(file) {
		case "libc6", "libgcc-s1", "gcc-12-base", "debconf", "perl-base":
			continue
		}
		if err := unpack(file, half); err != nil {
			return "", err
		}
	}
	return dir, os.Rename(half, dir)
}
