import { render } from 'preact';
import 'uplot/dist/uPlot.min.css';
import './styles/base.css';
import './styles/layout.css';
import './styles/parts.css';
import './styles/overview.css';
import './styles/lists.css';
import './styles/model.css';
import './styles/dead.css';
import { App } from './app.tsx';

const root = document.getElementById('page');
if (root !== null) render(<App />, root);
