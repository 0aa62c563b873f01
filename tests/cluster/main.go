// Command cluster starts and ends throwaway Kubernetes clusters for the tests,
// the demo and the benchmarks of mlopsctl: a real control plane on loopback
// whose nodes are simulated by kwok. It is run through the script `cluster`.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const usage = `Usage:
  cluster up --dir DIR [--nodes simulated] [--count N] [--pod-ready-delay DURATION] [--bare] [--kubernetes MINOR]
  cluster down --dir DIR
  cluster tools [--kubernetes MINOR]

up starts a throwaway cluster and writes
  DIR/kubeconfig                  for the cluster's administrator
  DIR/bin/{helm,helm3,kubectl}    helm is Helm 4
  DIR/env                         to be sourced by a shell
down ends it and removes all that up made. tools only builds the tools.

  --dir DIR                    folder of this cluster; several clusters can run side by side
  --nodes simulated            kind of the nodes (default simulated)
  --count N                    number of simulated nodes, 1 to 200 (default 3)
  --pod-ready-delay DURATION   time a simulated pod needs to get ready, e.g. 2s (default 0)
  --bare                       nothing of K3s: no StorageClass, IngressClass, CRDs, load balancer
  --kubernetes MINOR           version from tools/kubernetes-MINOR instead of tools/kubernetes

Environment:
  MLOPSCTL_TEST_CACHE          folder of the built tools (default ${XDG_CACHE_HOME:-$HOME/.cache}/mlopsctl-test)

Exit codes: 0 done, 1 failed, 2 wrong usage.
`

// usageError is an error of the caller, which exits with 2.
type usageError struct{ error }

func usageErrorf(format string, a ...any) error { return usageError{fmt.Errorf(format, a...)} }

// options are the flags of all commands.
type options struct {
	dir           string
	nodes         string
	count         int
	podReadyDelay time.Duration
	bare          bool
	kubernetes    string
}

func main() {
	err := run(os.Args[1:])
	var wrong usageError
	switch {
	case err == nil:
	case errors.As(err, &wrong):
		fmt.Fprintf(os.Stderr, "cluster: %v\nTry: cluster --help\n", err)
		os.Exit(2)
	default:
		fmt.Fprintf(os.Stderr, "cluster: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return usageErrorf("a command is missing: up, down or tools")
	}
	command := args[0]
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	var o options
	switch command {
	case "up":
		flags.StringVar(&o.nodes, "nodes", "simulated", "")
		flags.IntVar(&o.count, "count", 3, "")
		flags.DurationVar(&o.podReadyDelay, "pod-ready-delay", 0, "")
		flags.BoolVar(&o.bare, "bare", false, "")
		fallthrough
	case "down":
		flags.StringVar(&o.dir, "dir", "", "")
	case "tools":
	case "help", "--help", "-h":
		fmt.Print(usage)
		return nil
	default:
		return usageErrorf("unknown command %q: up, down or tools", command)
	}
	if command != "down" {
		flags.StringVar(&o.kubernetes, "kubernetes", "", "")
	}
	if err := flags.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		fmt.Print(usage)
		return nil
	} else if err != nil {
		return usageError{err}
	}
	if flags.NArg() > 0 {
		return usageErrorf("unexpected argument %q", flags.Arg(0))
	}
	if command == "tools" {
		_, err := buildTools(o.kubernetes)
		return err
	}
	if o.dir == "" {
		return usageErrorf("--dir is missing")
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	o.dir = dir
	if command == "down" {
		return down(layout(o.dir))
	}
	nodes, err := newNodes(o)
	if err != nil {
		return err
	}
	if o.podReadyDelay < 0 {
		return usageErrorf("--pod-ready-delay must not be negative")
	}
	return up(o, nodes)
}

// started is when the program began; progress lines count from here.
var started = time.Now()

// say writes a progress line. All progress goes to stderr: stdout stays free
// for scripts.
func say(format string, a ...any) {
	fmt.Fprintf(os.Stderr, "%6.1fs %s\n", time.Since(started).Seconds(), fmt.Sprintf(format, a...))
}
