package main

import (
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
)

// lock takes an exclusive lock on a file, which ends with the process however
// that ends. It says so when it has to wait.
func lock(file, waiting string) (unlock func(), err error) {
	for {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			say("%s", waiting)
			err = retryInterrupted(func() error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX) })
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		// The holder before may have removed the file: a lock on that one
		// keeps nobody out.
		held, err1 := f.Stat()
		named, err2 := os.Stat(file)
		if err1 == nil && err2 == nil && os.SameFile(held, named) {
			return func() { f.Close() }, nil
		}
		f.Close()
	}
}

func retryInterrupted(f func() error) error {
	for {
		if err := f(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// tail is the last n lines of a text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
